/**
 * A web app that embeds the runtime: a page with the words of the last five seconds, and the same as JSON.
 *
 *   node dist/examples/web.js                            then open the address that it prints; Ctrl-C ends it
 *   node dist/examples/web.js --port 8080 --batches 20   on a port of your choice; ends by itself
 *
 *   GET /              the page; it asks for the counts once a second
 *   GET /counts.json   { "batchTime": 1700000000000, "counts": [["the", 120], ...] }
 *
 * It feeds itself: a text is served over TCP, as `nc -lk` would. The page and the stream share this thread, but nothing on a batch's path
 * waits for it: a request that takes long delays no batch.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Milliseconds, StreamingContext } from 'millrace';
import type liveCounts from './programs/live-counts.js';
import { startTextServer } from './text-server.js';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, batches: { type: 'string', default: 'Infinity' } } });

const source = await startTextServer();
const ssc = await StreamingContext.create<typeof liveCounts>(new URL('./programs/live-counts.js', import.meta.url), {
  master: 'local[2]',
  appName: 'LiveCounts',
  batchInterval: Milliseconds(250),
  args: { host: '127.0.0.1', port: source.port },
});
await ssc.start();
const serving = setInterval(() => source.send(1), 50);

let latest: { readonly batchTime: number | null; readonly counts: readonly (readonly [string, number])[] } = { batchTime: null, counts: [] };

const page = `<!doctype html>
<meta charset="utf-8">
<title>Words of the last five seconds</title>
<h1>Words of the last five seconds</h1>
<p id="time">Waiting for the first batch.</p>
<table id="counts"></table>
<script type="module">
  const show = async () => {
    const { batchTime, counts } = await (await fetch('/counts.json')).json();
    if (batchTime === null) return;
    document.querySelector('#time').textContent = new Date(batchTime).toLocaleTimeString();
    document.querySelector('#counts').replaceChildren(...counts.map((pair) => {
      const row = document.createElement('tr');
      row.append(...pair.map((text) => Object.assign(document.createElement('td'), { textContent: text })));
      return row;
    }));
  };
  setInterval(() => show().catch(console.error), 1000);
</script>
`;

const server = createServer(({ method, url }, response) => {
  if (method !== 'GET') response.writeHead(405, { allow: 'GET' }).end();
  else if (url === '/') response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
  else if (url === '/counts.json') response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(latest));
  else response.writeHead(404).end();
});
await once(server.listen(Number(values.port), '127.0.0.1'), 'listening');
console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);

const stop = (): void => void ssc.stop({ graceful: true }).catch(() => {});
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

let batches = 0;
// Ends when the context has stopped; throws where it has failed.
for await (const { time, records } of ssc.exports.counts) {
  latest = { batchTime: time, counts: [...records].sort(([, a], [, b]) => b - a) };
  batches += 1;
  if (batches >= Number(values.batches)) break;
}
clearInterval(serving);
await ssc.stop();
await source.close();
server.close();
server.closeAllConnections();
console.log(`${batches} batches shown`);
