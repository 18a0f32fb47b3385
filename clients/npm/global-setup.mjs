// For globalSetup of vitest: one prinzbox for all test files. They reach it by connect(), or by the variables of env().
import { start } from './index.mjs';

let running;

export default async function setup() {
  running = await start();
  Object.assign(process.env, running.env(), { PRINZBOX_READY: JSON.stringify(running.ready) });
  return () => running.stop();
}
