// Development only: never loaded in production.
export { fillIn } from './defaults.ts';
export { MailCatcher } from './mail/mail-catcher.ts';
export { showMails } from './mail/mails-page.ts';
