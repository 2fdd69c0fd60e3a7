import type { ServerOptions } from 'node:http';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { RedisTarget, SessionLimits, SignIn } from './config.ts';
import type { AdminSection, Core, Service, SignInWay } from './core.ts';
import { AllowedHosts } from './features/allowed-hosts/allowed-hosts.ts';
import { openBoundSessions } from './features/bound-sessions/bound-sessions.ts';
import { openBranding } from './features/branding/branding.ts';
import { openCluster } from './features/cluster/cluster.ts';
import { limitConnections } from './features/connection-limits/connection-limits.ts';
import { addMaxAge } from './features/cookie-max-age/cookie-max-age.ts';
import { emailCode } from './features/email-code/email-code.ts';
import { emailCodeKeys } from './features/email-code/personal-keys.ts';
import { openWithFailover } from './features/failover/failover.ts';
import { outageLog } from './features/failover/outage-log.ts';
import { recoverForm } from './features/form-recovery/form-recovery.ts';
import { openGate } from './features/gate/gate.ts';
import { returnMemory } from './features/idle-memory/idle-memory.ts';
import { openIncidents } from './features/incidents/incidents.ts';
import { inlineStyles } from './features/inline-styles/inline-styles.ts';
import { addressToUnicode } from './features/international-addresses/address-to-unicode.ts';
import { openLiveTabs } from './features/live-tabs/live-tabs.ts';
import { ipDetailOf } from './features/log-format/log-format.ts';
import { openMail } from './features/mail/mail.ts';
import { serveMetrics } from './features/metrics/metrics.ts';
import { openPasskeys } from './features/passkeys/passkeys.ts';
import { tuneHeaders } from './features/performance/constant-headers.ts';
import { listPreloaded, tuneExpress, tuneRedis, tuneSessions } from './features/performance/performance.ts';
import { trustedCas } from './features/private-ca/private-ca.ts';
import { proxyHeaders } from './features/proxy-headers/proxy-headers.ts';
import { signInLimit } from './features/rate-limits/sign-in-limit.ts';
import { checkRedis, refuseToLose } from './features/redis-checks/check-server.ts';
import { checkClock } from './features/redis-checks/clock-check.ts';
import { prefixKeys } from './features/redis-key-prefix/redis-key-prefix.ts';
import { newFormId } from './features/repeated-forms/form-id.ts';
import { repeatedFormKeys, signInOnce } from './features/repeated-forms/repeated-forms.ts';
import { requestLog } from './features/request-log/request-log.ts';
import { openSentinel } from './features/sentinel/sentinel.ts';
import { sessionGuard } from './features/session-guard/session-guard.ts';
import { versionedAssets } from './features/versioned-assets/versioned-assets.ts';
import { formatAgo, formatDuration, formatTime, isoTime } from './http/date-format.ts';
import { createHttpServer } from './http/http-server.ts';
import { registerEjs } from './http/view-engine.ts';
import { readBodies } from './middleware/bodies.ts';
import { allowOnly, type ErrorPageOptions, errorPage, notFound } from './middleware/errors.ts';
import { giveRequestId } from './middleware/request-id.ts';
import { requireLogin } from './middleware/require-login.ts';
import { sameOrigin } from './middleware/same-origin.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { viewLocals } from './middleware/view-locals.ts';
import { projectDirectory } from './project-directory.ts';
import { connected, type OpenedRedis, openSingle, type RedisOptions } from './redis/connect.ts';
import type { RedisUnavailable } from './redis/deadline.ts';
import { endOtherSessions, endSession, listLiveSessions, showAdmin } from './routes/admin.ts';
import { live, ready } from './routes/health.ts';
import { showHome } from './routes/home.ts';
import { type SignInStep, showLogin, trust } from './routes/login.ts';
import { followLogout, logOut } from './routes/logout.ts';
import { isOnList } from './session/allow-list.ts';
import { type SessionsOptions, sessions } from './session/middleware.ts';
import { SessionStore } from './session/store.ts';
import type { Operations } from './shared/operations.ts';

export type AppParts = Pick<Core, 'config' | 'secrets' | 'redis' | 'log'> & {
  /** Whether the process is about to stop, and wants no more visitors. */
  isClosing: () => boolean;
  development?: Core['development'];
};

const publicDirectory = fileURLToPath(new URL('public', projectDirectory));
const viewsDirectory = fileURLToPath(new URL('views', projectDirectory));

type RedisKind = RedisTarget['kind'];
type TargetOf<Kind extends RedisKind> = Extract<RedisTarget, { kind: Kind }>;

const redisKinds: { [Kind in RedisKind]: (target: TargetOf<Kind>, options: RedisOptions) => OpenedRedis } = {
  single: openSingle,
  sentinel: openSentinel,
  cluster: openCluster,
};
redisKinds.single = openWithFailover;

/**
 * Connects to the kind of Redis that `REDIS_URL` names.
 * @throws {RedisUnavailable} when it refuses, or can't be reached within 2 s
 */
export async function openRedis<Kind extends RedisKind>(
  target: TargetOf<Kind>,
  given: Pick<Core, 'config' | 'log'>,
): Promise<OpenedRedis> {
  const open: (target: TargetOf<Kind>, options: RedisOptions) => OpenedRedis = redisKinds[target.kind];
  const options: RedisOptions = { log: given.log };
  options.ca = trustedCas(given.config);
  const opened = open(target, options);
  opened.client = prefixKeys(opened.client, given.config.redisKeyPrefix);
  tuneRedis(opened.client);
  await connected(opened);
  await checkRedis(opened, target.kind, options);
  return opened;
}

/** The whole request path, top to bottom. Static files and health never touch a session. */
export function createApp(parts: AppParts) {
  const { config, secrets, redis, log, development } = parts;
  const { https, origin, production, sessionsPerAddress, allowedEmails } = config;
  const limits: SessionLimits = { ...config.sessionLimits };
  const isAllowed = allowedEmails ? isOnList(allowedEmails) : () => true;
  const noteOutage = (error: RedisUnavailable) => core.noteOutage(error);
  const store = new SessionStore({ redis, limits, https, sessionsPerAddress, isAllowed, noteOutage, log });
  const core: Core = {
    ...{ config, secrets, redis, log, store, isAllowed, development },
    displayAddress: (email) => email,
    noteOutage: (err) => log.error({ err }, 'Redis failed a request'),
  };
  const services: Service[] = [];
  const serverOptions: ServerOptions = {};

  // Features. scripts/without.mjs takes one out together with its lines here and in config.ts.

  core.noteOutage = outageLog(log);
  core.displayAddress = addressToUnicode;
  core.ipDetail = ipDetailOf(config);
  core.ca = trustedCas(config);
  services.push(refuseToLose(redis), checkClock(redis, log));
  const branding = openBranding(core, publicDirectory);
  services.push(branding.service);
  core.look = branding.look;
  const mail = openMail(core);
  const operations: Operations = { personalKeys: [], selfChecks: [] };
  operations.personalKeys.push(...mail.personalKeys);
  operations.selfChecks.push(mail.selfCheck);
  operations.personalKeys.push(...emailCodeKeys);
  operations.personalKeys.push(repeatedFormKeys);
  core.operations = operations;
  services.push(serveMetrics(core, parts.isClosing));
  const incidents = openIncidents(core);
  services.push(incidents.service);
  operations.personalKeys.push(...incidents.personalKeys);
  services.push(returnMemory(config));
  limits.minSignedInAt = incidents.minSignedInAt;
  const liveTabs = openLiveTabs(core, limits);
  services.push(liveTabs.service);
  store.index.endScript = liveTabs.endScript;
  const proxies = proxyHeaders(core);
  services.push(proxies.service);
  const guard = sessionGuard(core);
  const hosts = new AllowedHosts(config);
  const gate = openGate(core);
  services.push(gate.service);
  operations.personalKeys.push(...gate.personalKeys);
  services.push(mail.service); // Stopped first, so that the others still note what becomes of its last mails.
  gate.beforePages.use(requestLog(log));
  gate.beforePages.use(proxies.readAddresses);
  const adminSections: AdminSection[] = [];
  adminSections.push(...gate.adminSections);

  const trustSteps: SignInStep[] = [];
  trustSteps.push(signInLimit(core));
  trustSteps.push(signInOnce(core));
  const signInWays: Record<SignIn, () => SignInWay> = {
    trust: () => trust(core, trustSteps),
    code: () => emailCode(core, mail),
  };
  const signInWay = signInWays[config.signIn]();
  const boundSessions = openBoundSessions(core, mail);
  operations.personalKeys.push(...boundSessions.personalKeys);
  const passkeys = openPasskeys(core, mail, signInWay);
  adminSections.push(...passkeys.adminSections);
  operations.personalKeys.push(...passkeys.personalKeys);
  const security = { setHeaders: securityHeaders({ https, identityProvider: signInWay.identityProvider }) };
  security.setHeaders = tuneHeaders(security.setHeaders);

  const app = express().set('trust proxy', config.trustProxy);
  // Express reads NODE_ENV itself, but not from `.env`. Outside production its own error handler shows stack traces.
  app.set('env', production ? 'production' : 'development');
  app.disable('x-powered-by').disable('etag'); // Pages are not stored, so nobody could use it; static files have their own.
  const assets = {
    serve: express.static(publicDirectory, { index: false, redirect: false }),
    urlOf: (name: string) => `/${name}`,
  };
  Object.assign(assets, versionedAssets(publicDirectory, { reload: !production }));
  app.locals.asset = assets.urlOf;
  app.locals.words = { displayAddress: core.displayAddress, formatAgo, formatDuration, formatTime, isoTime };
  app.locals.siteName = config.siteName;
  app.locals.brand = branding.brand;
  app.locals.sessionLimits = limits;
  app.locals.signInForm = signInWay.form;
  app.locals.newFormId = newFormId;
  app.locals.ownerOf = guard.ownerOf;
  app.locals.hasLiveTabs = liveTabs.isOn;
  app.locals.pageAfterSignIn = passkeys.pageAfterSignIn;
  registerEjs(app, { directory: viewsDirectory, reload: !production });
  Object.assign(serverOptions, tuneExpress(app, { directory: viewsDirectory, reload: !production }));

  app.use(gate.serve); // With headers of its own: those of the login site would bind the sites, too.
  app.use(security.setHeaders);
  if (branding.serve) app.use(branding.serve);
  app.use(assets.serve);
  app.route('/livez').get(live).all(allowOnly('GET, HEAD'));
  app.route('/readyz').get(ready(parts)).all(allowOnly('GET, HEAD'));

  app.use(giveRequestId);
  app.use(requestLog(log));
  app.use(inlineStyles(publicDirectory, { reload: !production }));
  if (hosts.isOn) app.use(hosts.check);
  if (proxies.read.length > 0) app.use(proxies.read);
  app.use('/doctor', incidents.answerProbe);
  app.route('/session-owner').get(guard.showOwner).all(allowOnly('GET, HEAD'));
  app.route('/session-events').get(liveTabs.openStream).all(allowOnly('GET, HEAD'));
  if (boundSessions.routes) app.use(boundSessions.routes);
  app.use(readBodies);
  app.use(sameOrigin(log, origin, signInWay.identityProvider));
  if (gate.keys) app.use(gate.keys); // Before the sessions: caches may share it, so no cookie may go with it.
  if (passkeys.wellKnown) app.use(passkeys.wellKnown); // Likewise.
  const sessionsOptions: SessionsOptions = { store, secrets };
  sessionsOptions.wrapLoading = tuneSessions(core, '/admin');
  app.use(addMaxAge);
  app.use(sessions(sessionsOptions));
  if (boundSessions.guard) app.use(boundSessions.guard);
  app.use(viewLocals);

  app.use('/login', incidents.refuseBlocked);
  if (mail.routes) app.use(mail.routes);
  if (gate.pages) app.use(gate.pages);
  if (passkeys.routes) app.use(passkeys.routes);
  if (signInWay.routes) app.use(signInWay.routes);

  app.route('/').get(showHome).all(allowOnly('GET, HEAD'));
  app.route('/login').get(showLogin).post(signInWay.begin).all(allowOnly('GET, HEAD, POST'));
  app.route('/logout').get(followLogout(log, origin)).post(logOut(log)).all(allowOnly('GET, HEAD, POST'));

  const admin = { index: store.index, listSessions: listLiveSessions, limits, log, sections: adminSections };
  admin.listSessions = listPreloaded;
  app.use('/admin', requireLogin);
  app.route('/admin').get(showAdmin(admin)).all(allowOnly('GET, HEAD'));
  app.route('/admin/end-session').post(endSession(admin)).all(allowOnly('POST', '/admin'));
  app.route('/admin/end-other-sessions').post(endOtherSessions(admin)).all(allowOnly('POST', '/admin'));

  app.use(notFound);
  app.use(proxies.explain);
  const errorOptions: ErrorPageOptions = { ...core };
  errorOptions.extendStep = recoverForm;
  app.use(errorPage(errorOptions));

  const server = createHttpServer(app, serverOptions);
  if (gate.pages) security.setHeaders = gate.withoutHsts(security.setHeaders); // Refusals may be on a guarded site.
  limitConnections(server, security.setHeaders);
  liveTabs.attach(server);
  return { app, server, services, core };
}
