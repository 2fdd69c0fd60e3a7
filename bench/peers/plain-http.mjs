// The floor: node:http, a prepared page and prepared headers; no session, no router, no template.
import http from 'node:http';
import { join } from 'node:path';
import ejs from 'ejs';
import helmet from 'helmet';
import { helmetOptions, otherHeaders, port, viewsDirectory } from './common.mjs';

const marker = '@email@';
const page = await ejs.renderFile(join(viewsDirectory, 'home.ejs'), { email: marker });
const [before, after] = page.split(marker);
const headers = { 'Content-Type': 'text/html; charset=utf-8', ...otherHeaders };
const collector = { setHeader: (name, value) => Object.assign(headers, { [name]: value }), removeHeader: () => {} };
helmet(helmetOptions)({}, collector, () => {});

const server = http.createServer((_req, res) => {
  const body = `${before}${process.env.BENCH_EMAIL}${after}`;
  res.writeHead(200, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
});
server.listen(port, '127.0.0.1');
