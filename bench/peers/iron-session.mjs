// Express with iron-session: no server-side session at all, the cookie holds it sealed.
import express from 'express';
import helmet from 'helmet';
import { getIronSession } from 'iron-session';
import { helmetOptions, otherHeaders, port, secret, viewsDirectory } from './common.mjs';

const options = { password: secret, cookieName: 'session', cookieOptions: { secure: false } };

const app = express();
app.set('views', viewsDirectory);
app.set('view engine', 'ejs');
app.use(helmet(helmetOptions));
app.use((_req, res, next) => {
  res.set(otherHeaders);
  next();
});

app.get('/', async (req, res) => {
  const session = await getIronSession(req, res, options);
  res.render('home', { email: session.email });
});

app.post('/login', express.urlencoded({ extended: false }), async (req, res) => {
  const session = await getIronSession(req, res, options);
  session.email = req.body.email;
  await session.save();
  res.redirect(303, '/');
});

app.listen(port, '127.0.0.1');
