/**
 * An address as SMTP writes it. Some carriers gave out mailboxes such as a..b@docomo.ne.jp, whose dots RFC 5321 allows
 * only between quotes; mail servers that are strict refuse them without.
 * @param email in its canonical form
 */
export function smtpAddress(email: string): string {
  const at = email.lastIndexOf('@');
  const local = email.slice(0, at);
  return /^\.|\.\.|\.$/.test(local) && !local.startsWith('"') ? `"${local}"${email.slice(at)}` : email;
}
