import type { SessionSecrets } from '../../config.ts';
import { deriveSealKeys, type SealKeys, seal, unseal } from '../mail/seal.ts';

const context = 'bound session';

/**
 * What browsers call their bound sessions: the session's id, encrypted. A browser names its session also where it sends no
 * cookie, and whoever copies the name can do nothing with it.
 */
export class SessionNames {
  readonly #keys: SealKeys;

  constructor(secrets: SessionSecrets) {
    this.#keys = deriveSealKeys(secrets, 'latchkey bound session names');
  }

  nameOf(sessionId: string): string {
    return Buffer.from(seal(this.#keys, context, sessionId), 'base64').toString('base64url');
  }

  /** The id of the session with this name; undefined for one that we did not give. */
  sessionIn(name: string): string | undefined {
    return unseal(this.#keys, context, name);
  }
}
