import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * The security headers of every response (ASVS 3.4.1 to 3.4.8).
 * @param options.https whether visitors come by https; over http, HSTS means nothing and upgrading breaks the page
 */
export function securityHeaders(options: { https: boolean }): RequestHandler[] {
  return [
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'"],
          manifestSrc: ["'self'"],
          connectSrc: ["'self'"],
          formAction: ["'self'"],
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
    }),
    function permissionsPolicy(_req, res, next) {
      res.setHeader('Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
      next();
    },
  ];
}
