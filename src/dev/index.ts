// Development only: never loaded in production.
export { readOrCreateSecrets } from './kept-secret.ts';
export { MailCatcher } from './mail/mail-catcher.ts';
export { showMails } from './mail/mails-page.ts';
export { startPrivateRedis } from './private-redis.ts';
