import http from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import type { IdentityProvider } from '../core.ts';

type Options = {
  /** Whether visitors come by https; over http, HSTS means nothing and upgrading breaks the page. */
  https: boolean;
  /** Another site that forms may lead to. */
  identityProvider?: IdentityProvider | undefined;
};

/** The security headers of every response (ASVS 3.4.1 to 3.4.8). */
export function securityHeaderValues({ https, identityProvider }: Options): Record<string, string> {
  const setByHelmet = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"], // For the older client's XMLHttpRequest.
        formAction: ["'self'", ...(identityProvider?.formOrigins ?? [])],
        baseUri: ["'none'"],
        objectSrc: ["'none'"],
        frameAncestors: ["'none'"],
        ...(https && { upgradeInsecureRequests: [] }),
      },
    },
    strictTransportSecurity: https && { maxAge: 63_072_000, includeSubDomains: true },
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
