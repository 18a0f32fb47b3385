#!/usr/bin/env node
'use strict';
const { spawn } = require('node:child_process');
const { findBinary } = require('./index.cjs');

let child;
try {
  child = spawn(findBinary(), process.argv.slice(2), { stdio: 'inherit' });
} catch (error) {
  console.error(`prinzbox: ${error.message}`);
  process.exit(1);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`prinzbox: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(signal ? 128 + require('node:os').constants.signals[signal] : code));
