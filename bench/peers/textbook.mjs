// Express, express-session and connect-redis as their READMEs have them, with helmet and EJS.
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import helmet from 'helmet';
import { connectedRedis, helmetOptions, otherHeaders, port, secret, viewsDirectory } from './common.mjs';

const app = express();
app.set('views', viewsDirectory);
app.set('view engine', 'ejs');
app.use(helmet(helmetOptions));
app.use((_req, res, next) => {
  res.set(otherHeaders);
  next();
});
app.use(
  session({
    store: new RedisStore({ client: await connectedRedis() }),
    resave: false,
    saveUninitialized: false,
    secret,
  }),
);

app.get('/', (req, res) => {
  res.render('home', { email: req.session.email });
});

app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
  req.session.regenerate((regenerateError) => {
    if (regenerateError) return next(regenerateError);
    req.session.email = req.body.email;
    req.session.save((saveError) => {
      if (saveError) return next(saveError);
      res.redirect(303, '/');
    });
  });
});

app.listen(port, '127.0.0.1');
