'use strict';
// Starts prinzbox, and gives tests environments of their own in it. Node 18 or later; no dependencies.

const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const LOG_BYTES = 1 << 20; // what is kept of the program's log

/** The program: the one given, that of PRINZBOX_BINARY, the one beside this file, or that on PATH. */
function findBinary(given) {
  const named = given || process.env.PRINZBOX_BINARY;
  if (named) {
    if (!fs.existsSync(named)) throw new Error(`${named}: there is no such file; option binary and PRINZBOX_BINARY name the program prinzbox`);
    return path.resolve(named);
  }
  const name = process.platform === 'win32' ? 'prinzbox.exe' : 'prinzbox';
  const candidates = [
    path.join(__dirname, 'bin', `${process.platform}-${process.arch}`, name),
    path.join(__dirname, 'bin', name),
    // node_modules/.bin holds this package's own command, which would only lead here again.
    ...(process.env.PATH || '').split(path.delimiter).filter((dir) => dir && !dir.endsWith(path.join('node_modules', '.bin'))).map((dir) => path.join(dir, name)),
  ];
  const found = candidates.find((file) => fs.existsSync(file));
  if (!found) throw new Error('there is no program prinzbox in this package or on PATH; name one in PRINZBOX_BINARY');
  return found;
}

/** An environment, or a namespace of it. */
class Environment {
  constructor(ready) {
    this.ready = ready;
    this.trackingUri = ready.tracking_uri;
    this.s3Endpoint = ready.s3_endpoint;
    this.staticUrl = ready.static_url;
    this.bucket = ready.bucket;
    this.accessKey = ready.access_key;
    this.secretKey = ready.secret_key;
    this.region = ready.region;
  }

  /** The variables that MLflow's clients and the AWS SDKs read. */
  env() {
    return {
      MLFLOW_TRACKING_URI: this.trackingUri,
      MLFLOW_S3_ENDPOINT_URL: this.s3Endpoint,
      AWS_ACCESS_KEY_ID: this.accessKey,
      AWS_SECRET_ACCESS_KEY: this.secretKey,
      AWS_DEFAULT_REGION: this.region,
      AWS_ENDPOINT_URL_S3: this.s3Endpoint,
      PRINZBOX_STATIC_URL: this.staticUrl,
      PRINZBOX_BUCKET: this.bucket,
    };
  }

  /** An environment of its own in the same process, made at first use. */
  namespace(name = `t-${randomBytes(8).toString('hex')}`) {
    return new Namespace(this, name);
  }

  /** Calls the control API: control('PUT', '/clock', { freeze: 'now' }). */
  async control(method, route, body) {
    const url = `${this.trackingUri}/api/prinzbox${route}`;
    const response = await fetch(url, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) {
      throw Object.assign(new Error(`${method} ${url}: status ${response.status}: ${text}`), { status: response.status });
    }
    return text ? JSON.parse(text) : undefined;
  }

  status() { return this.control('GET', '/status'); }
  async reset(to = '') { await this.control('POST', '/reset', { to }); }
  async snapshot(name) { await this.control('PUT', `/snapshots/${encodeURIComponent(name)}`); }
  async restore(name) { await this.control('POST', `/snapshots/${encodeURIComponent(name)}/restore`); }
  fault(rule) { return this.control('POST', '/faults', rule); }
  async clearFaults() { await this.control('DELETE', '/faults'); }
  async stub(model, stub) { return (await this.control('POST', `/stubs/${encodeURIComponent(model)}`, stub)).version; }
  async calls(query = {}) { return (await this.control('GET', `/calls?${new URLSearchParams(query)}`)).calls; }
  async count(query = {}) { return (await this.control('GET', `/calls/count?${new URLSearchParams(query)}`)).count; }
  async keys(query = {}) { return (await this.control('GET', `/calls/keys?${new URLSearchParams(query)}`)).keys; }

  /** Throws unless matching calls came: at least one, or exactly times. */
  async assertCalled(query = {}, times) {
    const found = await this.count(query);
    if (times === undefined ? found > 0 : found === times) return;
    const last = (await this.calls({ limit: '10' })).map((call) => `\n  ${call.method} ${call.path} -> ${call.status}`).join('');
    const wanted = times === undefined ? 'at least one call' : `${times} calls`;
    throw new Error(`wanted ${wanted} with ${JSON.stringify(query)}, got ${found}; the last calls:${last || ' none'}`);
  }
}

class Namespace extends Environment {
  constructor(parent, name) {
    super({
      ...parent.ready,
      tracking_uri: `${parent.trackingUri}/ns/${name}`,
      static_url: `${parent.staticUrl}/ns/${name}`,
      access_key: `${parent.accessKey}.ns.${name}`,
    });
    this.name = name;
    this.parent = parent;
  }

  /** Removes the namespace with all that is in it, if it was ever asked for. */
  async delete() {
    try {
      await this.parent.control('DELETE', `/namespaces/${this.name}`);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
}

/** A running prinzbox. */
class Prinzbox extends Environment {
  #child;
  #log;

  constructor(ready, child, log) {
    super(ready);
    this.#child = child;
    this.#log = log;
  }

  /** The end of what the program has logged. */
  get log() { return this.#log.text; }

  /** Ends the program. A second call does nothing. */
  async stop() {
    const child = this.#child;
    this.#child = undefined;
    if (child) await end(child);
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() { await this.stop(); }
}

function end(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.once('exit', () => {
      clearTimeout(late);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** Starts the program on free ports, with nothing kept, and waits until everything answers. */
async function start({ binary, seed = true, args = [], timeout = 60_000 } = {}) {
  const file = findBinary(binary);
  const all = ['serve', '--ephemeral', '--exit-with-stdin', '--host', '127.0.0.1', '--port', '0', '--s3-port', '0', '--static-port', '0', ...(seed ? [] : ['--no-seed']), ...args];
  // Settings of another prinzbox in this shell are not for this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PRINZBOX_')));
  // Its standard input ends with this process, also with a killed one: tests that never called stop leave nothing behind.
  const child = spawn(file, all, { stdio: ['pipe', 'pipe', 'pipe'], env });
  const log = { text: '' };
  child.stderr.setEncoding('utf8').on('data', (text) => {
    log.text = (log.text + text).slice(-LOG_BYTES);
  });
  child.stdin.on('error', () => {}); // nothing is written to it
  const ready = await new Promise((resolve, reject) => {
    let out = '';
    const fail = (why) => {
      clearTimeout(late);
      child.kill('SIGKILL');
      reject(new Error(`${file} ${all.join(' ')}: ${why}\n${out}${log.text}`));
    };
    const late = setTimeout(() => fail(`not ready within ${timeout} ms`), timeout);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => fail(`ended before it was ready (${signal ?? code})`));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
      const line = out.indexOf('\n');
      if (line < 0) return;
      try {
        const answer = JSON.parse(out.slice(0, line));
        clearTimeout(late);
        child.removeAllListeners('error').removeAllListeners('close');
        resolve(answer);
      } catch {
        fail('its first line is not a ready line');
      }
    });
  });
  // A test runner that forgets it may end all the same.
  child.stdout.resume().unref?.();
  child.stderr.unref?.();
  child.stdin.unref?.();
  child.unref();
  return new Prinzbox(ready, child, log);
}

/** The environment that prinzbox/global-setup, or a shell, has put into the variables; each call with its own namespace unless one is given. */
function connect(ready = process.env.PRINZBOX_READY && JSON.parse(process.env.PRINZBOX_READY)) {
  if (!ready) throw new Error('PRINZBOX_READY is not set: add prinzbox/global-setup to globalSetup, or use start()');
  return new Environment(ready);
}

module.exports = { Environment, Namespace, Prinzbox, connect, findBinary, start };
