// The Node.js runtime of fogbank's Lambda environments: asks for events and calls the handler.
//
// It behaves as AWS's does, error reports and log records included. It speaks to the Runtime API
// over a plain socket, so that libraries which instrument `http` do not see it.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const util = require('util');
const { Writable } = require('stream');

const env = process.env;
const jsonLogs = env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const fd = Number(env._LAMBDA_TELEMETRY_LOG_FD) || 0;
delete env._LAMBDA_TELEMETRY_LOG_FD;
delete env._FOGBANK_SDK;
delete env._FOGBANK_OPT;

// ---- The Runtime API ----

const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(':');
let socket = null;
let buffer = Buffer.alloc(0);
let waiter = null;

function connect() {
  socket = net.connect({ host, port: Number(port), noDelay: true });
  buffer = Buffer.alloc(0);
  const gone = (error) => {
    socket = null;
    const w = waiter;
    waiter = null;
    if (w) w.reject(error || new Error('the Runtime API has closed the connection'));
  };
  socket.on('data', (data) => {
    buffer = buffer.length ? Buffer.concat([buffer, data]) : data;
    parse();
  });
  socket.on('error', gone);
  socket.on('close', () => gone());
}

function parse() {
  const end = buffer.indexOf('\r\n\r\n');
  if (end < 0 || !waiter) return;
  const lines = buffer.toString('latin1', 0, end).split('\r\n');
  const headers = {};
  for (const line of lines.slice(1)) {
    const at = line.indexOf(':');
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  const length = Number(headers['content-length'] || 0);
  if (buffer.length < end + 4 + length) return;
  const body = buffer.subarray(end + 4, end + 4 + length);
  buffer = buffer.subarray(end + 4 + length);
  const w = waiter;
  waiter = null;
  w.resolve({ status: Number(lines[0].split(' ')[1]), headers, body });
}

function send(method, where, headers) {
  if (!socket) connect();
  let head = `${method} /2018-06-01/runtime/${where} HTTP/1.1\r\nHost: ${host}:${port}\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  socket.write(head + '\r\n', 'latin1');
}

const answer = () => new Promise((resolve, reject) => {
  if (socket) socket.ref();
  waiter = { resolve, reject };
  parse();
});

function call(method, where, body, headers) {
  const data = Buffer.from(body || '');
  send(method, where, { ...headers, 'Content-Length': data.length });
  if (data.length) socket.write(data);
  return answer();
}

// ---- Logs ----

const levels = { TRACE: 0, DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4, FATAL: 5 };
const least = jsonLogs ? levels[env.AWS_LAMBDA_LOG_LEVEL] ?? 0 : 0;
let current = { requestId: undefined, tenantId: undefined };

function write(text) {
  if (!fd) {
    fs.writeSync(1, text.replace(/\n(?=.)/gs, '\r'));
    return;
  }
  const data = Buffer.from(text);
  const head = Buffer.alloc(16);
  head.writeUInt32BE(0xa55a0003, 0);
  head.writeUInt32BE(data.length, 4);
  head.writeBigInt64BE(BigInt(Date.now()) * 1000n, 8);
  let rest = Buffer.concat([head, data]);
  while (rest.length) {
    try {
      rest = rest.subarray(fs.writeSync(fd, rest));
    } catch (e) {
      if (e.code !== 'EAGAIN') throw e;
    }
  }
}

const errorParts = (e) => ({
  errorType: e?.name ?? 'Error', errorMessage: e?.message ?? String(e),
  stackTrace: typeof e?.stack === 'string' ? e.stack.split('\n') : [],
});

function record(level, values) {
  const out = { timestamp: new Date().toISOString(), level, requestId: current.requestId };
  if (current.tenantId) out.tenantId = current.tenantId;
  const only = values.length === 1 ? values[0] : undefined;
  if (only instanceof Error) {
    Object.assign(out, { message: errorParts(only) });
  } else if (only !== undefined && typeof only === 'object') {
    out.message = only;
  } else {
    out.message = util.format(...values);
    const error = values.find((v) => v instanceof Error);
    if (error) Object.assign(out, errorParts(error));
  }
  try {
    return JSON.stringify(out, (_, v) => (v instanceof Error ? errorParts(v)
      : typeof v === 'bigint' ? v.toString() : v));
  } catch {
    return JSON.stringify({ ...out, message: util.format(...values) });
  }
}

function log(level, values) {
  if (levels[level] < least) return;
  write(jsonLogs ? record(level, values) + '\n'
    : `${new Date().toISOString()}\t${current.requestId}\t${level}\t${util.format(...values)}\n`);
}

for (const [name, level] of [['trace', 'TRACE'], ['debug', 'DEBUG'], ['info', 'INFO'],
  ['log', 'INFO'], ['warn', 'WARN'], ['error', 'ERROR'], ['fatal', 'FATAL']]) {
  console[name] = (...values) => log(level, values);
}

// ---- Errors ----

function failure(e) {
  if (util.types.isNativeError(e) || (e && e.name && e.message !== undefined && e.stack)) {
    return { errorType: e.name, errorMessage: e.message, trace: String(e.stack).split('\n') };
  }
  return { errorType: typeof e, errorMessage: String(e), trace: [] };
}

class Fault extends Error {
  constructor(kind, message, cause) {
    super(message);
    this.name = kind;
    if (cause && cause.stack) this.stack = `${kind}: ${message}\n${cause.stack.split('\n').slice(1).join('\n')}`;
  }
}

function logFailure(title, e) {
  const report = failure(e);
  if (jsonLogs) {
    log('ERROR', [e instanceof Error ? e : new Error(report.errorMessage)]);
    return;
  }
  const extra = e && typeof e === 'object' ? Object.fromEntries(Object.entries(e)) : {};
  const shown = { errorType: report.errorType, errorMessage: report.errorMessage, ...extra,
    stack: report.trace };
  delete shown.name;
  let text;
  try {
    text = JSON.stringify(shown);
  } catch {
    text = JSON.stringify(report);
  }
  log('ERROR', [`${title} \t${text}`]);
}

const errorHeaders = (report) => ({
  'Content-Type': 'application/json',
  'Lambda-Runtime-Function-Error-Type': String(report.errorType).replace(/[^\x20-\x7e]/g, '?'),
});

// ---- The handler ----

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = 'response';
    if (options && options.highWaterMark !== undefined) {
      handler[HIGH_WATER] = Number(options.highWaterMark);
    }
    return handler;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      stream._prelude = Buffer.concat([Buffer.from(JSON.stringify(metadata)), Buffer.alloc(8)]);
      return stream;
    },
  },
};

function parseHandler(name) {
  if (name.includes('..')) {
    throw new Fault('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const found = /^([^.]*)\.(.+)$/.exec(base);
  if (!found) throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  return { folder: name.slice(0, name.indexOf(base)), module: found[1], names: found[2].split('.') };
}

async function load(root, folder, name) {
  const file = path.resolve(root, folder, name);
  const esm = (f) => import(require('url').pathToFileURL(f).href);
  const isFile = (f) => fs.statSync(f, { throwIfNoEntry: false })?.isFile();
  if (isFile(file)) return require(file);
  if (isFile(file + '.js')) {
    // Whether it is a module is said by the nearest package.json.
    if (packageType(path.dirname(file)) === 'module') return esm(file + '.js');
    try {
      return require(file + '.js');
    } catch (e) {
      if (e.code === 'ERR_REQUIRE_ESM' || e.code === 'ERR_REQUIRE_ASYNC_MODULE') {
        return esm(file + '.js');
      }
      throw e;
    }
  }
  if (isFile(file + '.mjs')) return esm(file + '.mjs');
  if (isFile(file + '.cjs')) return require(file + '.cjs');
  return require(require.resolve(path.join(folder, name), { paths: [root, folder] }));
}

function packageType(folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type;
      } catch {
        return undefined;
      }
    }
    if (at === path.dirname(at)) return undefined;
  }
}

async function getHandler(name, root) {
  const { folder, module, names } = parseHandler(name);
  let loaded;
  try {
    loaded = await load(root, folder, module);
  } catch (e) {
    if (e instanceof SyntaxError) throw new Fault('Runtime.UserCodeSyntaxError', String(e), e);
    if (e && (e.code === 'MODULE_NOT_FOUND' || e.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new Fault('Runtime.ImportModuleError', String(e), e);
    }
    throw e;
  }
  const find = (from) => names.reduce((x, n) => (x === undefined || x === null ? x : x[n]), from);
  let handler = find(loaded);
  if (handler === undefined && loaded.default) handler = find(loaded.default);
  if (!handler) throw new Fault('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') {
    throw new Fault('Runtime.HandlerNotFound', `${name} is not a function`);
  }
  return handler;
}

// ---- One invocation ----

// Called when there is nothing left to do: what a callback waits for.
let idle = null;
process.on('beforeExit', () => {
  const f = idle;
  idle = null;
  if (f) f();
});

function makeContext(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const json = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: json('lambda-runtime-client-context'),
    identity: json('lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// Runs the handler; resolves to its result, whichever of the three ways it gives one.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (f, wait) => (value) => {
      if (settled) return;
      settled = true;
      if (wait && context.callbackWaitsForEmptyEventLoop) idle = () => f(value);
      else {
        idle = null;
        f(value);
      }
    };
    const done = (error, result) =>
      (error ? settle(reject, false)(error) : settle(resolve, true)(result));
    context.done = done;
    context.succeed = (result) => settle(resolve, true)(result);
    context.fail = (error) => settle(reject, false)(error ?? new Error('handled'));
    // Neither a promise nor a callback, and nothing left to do: null, as on Lambda.
    idle = () => settle(resolve, false)(null);
    const result = handler(event, context, done);
    if (result && typeof result.then === 'function') {
      result.then(settle(resolve, false), settle(reject, false));
    } else if (handler.length < 3 && result !== undefined) {
      settle(resolve, false)(result);
    }
  });
}

class ResponseStream extends Writable {
  constructor(requestId, options) {
    super(options);
    this.requestId = requestId;
    this.contentType = 'application/octet-stream';
    this.begun = false;
  }

  setContentType(type) {
    if (this.begun) throw new Error('Cannot set content-type, too late.');
    this.contentType = type;
  }

  begin() {
    if (this.begun) return;
    this.begun = true;
    send('POST', `invocation/${this.requestId}/response`, {
      'Content-Type': this.contentType,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      'Trailer': 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    });
    if (this._prelude) this.chunk(this._prelude);
  }

  chunk(data, done) {
    if (!data.length) return done && done();
    socket.write(`${data.length.toString(16)}\r\n`, 'latin1');
    socket.write(data);
    return socket.write('\r\n', 'latin1', done);
  }

  _write(data, encoding, done) {
    this.begin();
    this.chunk(Buffer.isBuffer(data) ? data : Buffer.from(
      typeof data === 'string' ? data : JSON.stringify(data), encoding), () => done());
  }

  _final(done) {
    this.begin();
    done();
  }

  finish(report) {
    this.begin();
    let tail = '0\r\n';
    if (report) {
      tail += `Lambda-Runtime-Function-Error-Type: ${errorHeaders(report)['Lambda-Runtime-Function-Error-Type']}\r\n`;
      tail += `Lambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(report)).toString('base64')}\r\n`;
    }
    socket.write(tail + '\r\n', 'latin1');
    return answer();
  }
}

async function runStreaming(handler, event, context) {
  const stream = new ResponseStream(context.awsRequestId, {
    highWaterMark: handler[HIGH_WATER], decodeStrings: true,
  });
  try {
    const finished = new Promise((resolve, reject) => {
      stream.on('finish', resolve);
      stream.on('error', reject);
    });
    idle = () => stream.destroy(new Error('Response stream is not finished'));
    const result = handler(event, stream, context);
    if (!result || typeof result.then !== 'function') {
      throw new Fault('Runtime.InvalidStreamingOperation', 'Streaming does not support non-async handlers.');
    }
    await result;
    if (!stream.writableFinished) {
      if (!stream.writableEnded && stream.writableLength === 0 && !stream.begun) stream.end();
      await finished;
    }
    idle = null;
    await stream.finish();
  } catch (e) {
    idle = null;
    logFailure('Invoke Error', e);
    if (stream.begun) await stream.finish(failure(e));
    else await reportError(context.awsRequestId, e);
  }
}

function reportError(requestId, e) {
  const report = failure(e);
  return call('POST', `invocation/${requestId}/error`, JSON.stringify(report), errorHeaders(report));
}

async function invoke(handler, headers, body) {
  const context = makeContext(headers);
  current = { requestId: context.awsRequestId, tenantId: context.tenantId };
  const trace = headers['lambda-runtime-trace-id'];
  if (trace) env._X_AMZN_TRACE_ID = trace;
  else delete env._X_AMZN_TRACE_ID;
  // Nothing of ours keeps the event loop alive while the function runs.
  if (socket) socket.unref();
  try {
    const event = JSON.parse(body.toString('utf8'));
    if (handler[STREAMING]) return await runStreaming(handler, event, context);
    const result = await run(handler, event, context);
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result);
    } catch (e) {
      throw new Fault('Runtime.MarshalError', 'Unable to stringify response body', e);
    }
    await call('POST', `invocation/${context.awsRequestId}/response`, text ?? 'null',
      { 'Content-Type': 'application/json' });
  } catch (e) {
    logFailure('Invoke Error', e);
    await reportError(context.awsRequestId, e);
  }
  return undefined;
}

// An error that nobody caught ends the runtime; the caller hears of it first.
function giveUp(kind, code) {
  return (e) => {
    const error = kind ? new Fault(kind, String(e && e.stack ? e : util.format(e)), e) : e;
    logFailure(kind ? 'Unhandled Promise Rejection' : 'Uncaught Exception', error);
    const report = failure(error);
    const where = current.requestId ? `invocation/${current.requestId}/error` : 'init/error';
    waiter = null;
    call('POST', where, JSON.stringify(report), errorHeaders(report))
      .finally(() => process.exit(code));
  };
}

async function main() {
  process.on('uncaughtException', giveUp(null, 129));
  process.on('unhandledRejection', giveUp('Runtime.UnhandledPromiseRejection', 128));
  let handler;
  try {
    handler = await getHandler(env._HANDLER, env.LAMBDA_TASK_ROOT);
  } catch (e) {
    logFailure('Uncaught Exception', e);
    const report = failure(e);
    await call('POST', 'init/error', JSON.stringify(report), errorHeaders(report));
    process.exit(e instanceof Fault ? 129 : 1);
  }
  for (;;) {
    const { status, headers, body } = await call('GET', 'invocation/next');
    if (status !== 200) process.exit(1);
    await invoke(handler, headers, body);
  }
}

main();
