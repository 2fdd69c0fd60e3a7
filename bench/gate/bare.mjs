// The floor of a check: node:http, one GET, an answer with a header. No cookie is opened and no limit is looked at. All
// other requests are answered as by an app that does next to nothing.
import http from 'node:http';
import { connectedRedis, port } from '../peers/common.mjs';

const client = await connectedRedis();
await client.set('bare', 'x'.repeat(80));

const server = http.createServer(async (req, res) => {
  if (!req.url?.startsWith('/gate/')) return res.end('hello');
  const record = await client.get('bare');
  res.writeHead(record === null ? 401 : 204, { 'Remote-Email': process.env.BENCH_EMAIL }).end();
});
server.listen(port, '127.0.0.1');
