import helmet from 'helmet';
import type { IdentityProvider } from '../core.ts';

type Options = {
  /** Whether visitors come by https; over http, HSTS means nothing and upgrading breaks the page. */
  https: boolean;
  /** Another site that forms may lead to. */
  identityProvider?: IdentityProvider | undefined;
};

/** Sets the security headers of every response (ASVS 3.4.1 to 3.4.8). They are the same for all of them. */
export function securityHeaders({ https, identityProvider }: Options): ReturnType<typeof helmet> {
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
  return function setSecurityHeaders(req, res, next) {
    res.setHeader('Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
    setByHelmet(req, res, next);
  };
}
