/** Cuts a text that a client chose, which would otherwise fill the log. */
export function cutText(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}
