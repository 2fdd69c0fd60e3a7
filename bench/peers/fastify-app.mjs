// Fastify with the plugins of its own organisation, as their READMEs have them.
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import session from '@fastify/session';
import view from '@fastify/view';
import { RedisStore } from 'connect-redis';
import ejs from 'ejs';
import Fastify from 'fastify';
import { connectedRedis, helmetOptions, otherHeaders, port, secret, viewsDirectory } from './common.mjs';

/** Listens; `tuning` are further options of the session plugin. */
export async function startFastify(tuning = {}) {
  const app = Fastify();
  app.register(helmet, helmetOptions);
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(otherHeaders);
    done();
  });
  app.register(formbody);
  app.register(cookie);
  app.register(session, {
    secret,
    store: new RedisStore({ client: await connectedRedis() }),
    saveUninitialized: false,
    cookie: { secure: false },
    ...tuning,
  });
  // `cache` is for EJS, which would read and compile what a page includes anew each time.
  app.register(view, { engine: { ejs }, root: viewsDirectory, options: { cache: true } });

  app.get('/', (request, reply) => reply.viewAsync('home.ejs', { email: request.session.email }));

  app.post('/login', async (request, reply) => {
    await request.session.regenerate();
    request.session.email = request.body.email;
    await request.session.save();
    return reply.redirect('/', 303);
  });

  await app.listen({ port, host: '127.0.0.1' });
}
