/** Every header that Latchkey believes when a trusted proxy sends it, as a visitor could send it. */
export const forged: Record<string, string> = {
  'X-Forwarded-For': '203.0.113.7, forged',
  'X-Forwarded-Proto': 'http, forged',
  'X-Forwarded-Host': 'forged.example',
  'X-Request-Id': 'forged-by-a-visitor',
  Forwarded: 'for=203.0.113.7;proto=http;host=forged.example',
  'X-Forwarded-Ssl': 'forged',
};
