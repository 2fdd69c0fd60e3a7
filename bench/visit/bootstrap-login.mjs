// The same login with Bootstrap: Express, express-session, connect-redis, helmet and Bootstrap as their documentation
// shows them.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import helmet from 'helmet';
import { connectedRedis, port, secret } from '../peers/common.mjs';

const app = express();
app.set('trust proxy', 'loopback');
app.set('views', fileURLToPath(new URL('views', import.meta.url)));
app.set('view engine', 'ejs');
app.use(helmet());
const bootstrap = dirname(dirname(fileURLToPath(import.meta.resolve('bootstrap/dist/css/bootstrap.min.css'))));
// Without MAX_AGE browsers ask on each page whether a file has changed: that is the default of express.static.
const options = process.env.MAX_AGE ? { maxAge: process.env.MAX_AGE, immutable: true } : {};
app.use('/css', express.static(join(bootstrap, 'css'), options));
app.use('/js', express.static(join(bootstrap, 'js'), options));
app.use(
  session({
    store: new RedisStore({ client: await connectedRedis() }),
    resave: false,
    saveUninitialized: false,
    secret,
    cookie: { secure: true, sameSite: 'lax' },
  }),
);

app.get('/', (_req, res) => res.render('home'));

app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
  req.session.regenerate((regenerateError) => {
    if (regenerateError) return next(regenerateError);
    req.session.email = req.body.email;
    req.session.signedInAt = new Date().toISOString();
    req.session.save((saveError) => {
      if (saveError) return next(saveError);
      res.redirect(303, '/admin');
    });
  });
});

app.get('/admin', (req, res) => {
  if (!req.session.email) return res.redirect(303, '/');
  const device = req.get('User-Agent');
  res.render('admin', { email: req.session.email, signedInAt: req.session.signedInAt, device });
});

app.listen(port, '127.0.0.1');
