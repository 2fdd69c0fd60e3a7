import { Router } from 'express';
import type { Config } from '../../config.ts';
import { allowOnly } from '../../middleware/errors.ts';
import { addPath, listPath } from './add-routes.ts';
import { type PasskeyRoutes, requireParty } from './passkey-request.ts';

const cacheControl = 'public, max-age=3600';

/** What other programs ask of a relying party. */
export function wellKnown(parts: PasskeyRoutes, { passkeys: { relatedOrigins } }: Config): Router {
  const routes = Router();
  // Where password managers lead people (https://www.w3.org/TR/passkey-endpoints/).
  routes
    .route('/.well-known/passkey-endpoints')
    .get((req, res) => {
      const { origin } = requireParty(parts, req);
      res.set('Cache-Control', cacheControl).json({ enroll: origin + addPath, manage: origin + listPath });
    })
    .all(allowOnly('GET, HEAD'));
  // Which other origins may use our passkeys (WebAuthn, 5.11).
  if (relatedOrigins.length > 0) {
    routes
      .route('/.well-known/webauthn')
      .get((_req, res) => {
        res.set('Cache-Control', cacheControl).json({ origins: relatedOrigins });
      })
      .all(allowOnly('GET, HEAD'));
  }
  return routes;
}
