/**
 * An address in SMTP syntax. Some carriers have issued mailboxes such as a..b@docomo.ne.jp, whose dots RFC 5321 allows
 * only in quotes; strict mail servers reject them otherwise.
 * @param email in its canonical form
 */
export function smtpAddress(email: string): string {
  const at = email.lastIndexOf('@');
  const local = email.slice(0, at);
  return /^\.|\.\.|\.$/.test(local) && !local.startsWith('"') ? `"${local}"${email.slice(at)}` : email;
}
