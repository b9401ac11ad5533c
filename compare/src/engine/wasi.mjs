// Runs a WASI command or a job in a JavaScript engine through its own `node:wasi`.
//
//   wasi.mjs [--preload NAME=FILE] [--dir HOST::GUEST] [--env NAME=VALUE] [--invoke EXPORT] FILE [ARGS…]
//
// The options are spelled as wasmtime spells them.
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const words = process.argv.slice(2);
const options = { preload: [], dir: [], env: [], invoke: [] };
while (words[0]?.startsWith('--')) {
  const name = words.shift().slice(2);
  options[name].push(words.shift());
}
const pairs = (list, separator) => list.map((word) => {
  const at = word.indexOf(separator);
  return [word.slice(0, at), word.slice(at + separator.length)];
});
const [file, ...args] = words;
const setting = {
  version: 'preview1',
  args: [file, ...args],
  env: Object.fromEntries(pairs(options.env, '=')),
  preopens: Object.fromEntries(pairs(options.dir, '::').map(([host, guest]) => [guest, host])),
  returnOnExit: true,
};
const linked = {};
// Each instance has an interface of its own, which is bound to its memory.
const instantiate = async (path) => {
  const wasi = new WASI(setting);
  const imports = { wasi_snapshot_preview1: wasi.wasiImport, ...linked };
  const { instance } = await WebAssembly.instantiate(readFileSync(path), imports);
  return { wasi, instance };
};
for (const [name, path] of pairs(options.preload, '=')) {
  const { wasi, instance } = await instantiate(path);
  if (instance.exports.memory) wasi.finalizeBindings(instance);
  instance.exports._initialize?.();
  linked[name] = instance.exports;
}
const { wasi, instance } = await instantiate(file);
const [invoked] = options.invoke;
if (invoked === undefined && instance.exports._start) {
  process.exitCode = wasi.start(instance);
} else {
  // `start` is for commands; another entrance needs to be told of its memory.
  wasi.finalizeBindings(instance);
  instance.exports._initialize?.();
  const result = instance.exports[invoked ?? '']?.(...args);
  if (result !== undefined) console.log(String(result));
}
