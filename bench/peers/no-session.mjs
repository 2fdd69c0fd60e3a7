// Latchkey's own app with its session taken out: the same stack, but each visitor is a constant.
import { createApp, openRedis } from '../../dist/app.js';
import { readConfig } from '../../dist/config.js';
import { createLogger } from '../../dist/log.js';

const sessionLayers = ['loadSession', 'keepCookieCurrent'];
const visitor = { email: process.env.BENCH_EMAIL };
const sessionId = 'x'.repeat(36);

const config = readConfig(process.env);
const log = createLogger(config.logLevel);
const { client: redis } = await openRedis(config.redis, { config, log });
const { app, server } = createApp({ config, secrets: config.sessionSecrets, redis, log, isClosing: () => false });

const { stack } = app.router;
const position = stack.findIndex((layer) => layer.name === sessionLayers[0]);
const removed = stack.splice(position, sessionLayers.length).map((layer) => layer.name);
if (String(removed) !== String(sessionLayers)) throw new Error(`expected the session's layers, found ${removed}`);
app.use(function constantVisitor(req, _res, next) {
  req.session = visitor;
  req.sessionID = sessionId;
  next();
});
stack.splice(position, 0, stack.pop());

server.listen(config.port, config.host);
