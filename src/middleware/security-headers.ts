import http from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import type { IdentityProvider } from '../core.ts';

/**
 * The security headers of every response (ASVS 3.4.1 to 3.4.8).
 * @param options.https whether visitors come by https; over http, HSTS means nothing and upgrading breaks the page
 * @param options.identityProvider another site that forms may lead to
 */
export function securityHeaderValues(options: {
  https: boolean;
  identityProvider?: IdentityProvider | undefined;
}): Record<string, string> {
  const setByHelmet = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        // For the older client's XMLHttpRequest.
        connectSrc: ["'self'"],
        formAction: ["'self'", ...(options.identityProvider ? [options.identityProvider.origin] : [])],
        baseUri: ["'none'"],
        objectSrc: ["'none'"],
        frameAncestors: ["'none'"],
        ...(options.https && { upgradeInsecureRequests: [] }),
      },
    },
    strictTransportSecurity: options.https && { maxAge: 63_072_000, includeSubDomains: true },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    // `same-origin` rather than helmet's `no-referrer`: with that, browsers send `Origin: null` on our own forms.
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
  // They are the same for every response, so helmet is asked once.
  const sample = new http.ServerResponse(new http.IncomingMessage(new Socket()));
  setByHelmet(sample.req, sample, () => {});
  sample.setHeader('Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
  return Object.fromEntries(Object.entries(sample.getHeaders()).map(([name, value]) => [name, String(value)]));
}

/** Sets the security headers. */
export function securityHeaders(values: Record<string, string>): RequestHandler {
  const headers = Object.entries(values);
  return function setSecurityHeaders(_req, res, next) {
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}
