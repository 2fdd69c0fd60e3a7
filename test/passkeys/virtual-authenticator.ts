import type { CDPSession, Page } from 'playwright-core';

type Credential = Awaited<ReturnType<typeof credentialsOf>>[number];

/** An authenticator of Chromium's own, for one tab. */
export type VirtualAuthenticator = {
  /** Whether its user touches it by themselves, as soon as they are asked. */
  setPresent: (isPresent: boolean) => Promise<void>;
  /** Whether its user can unlock it. */
  setVerified: (isVerified: boolean) => Promise<void>;
  credentials: () => Promise<Credential[]>;
  add: (credential: Credential) => Promise<void>;
  remove: (credentialId: string) => Promise<void>;
  /** What the page had deleted or changed in it. */
  signals: string[];
  /** Takes it away from the tab. */
  close: () => Promise<void>;
};

/** @param options.isPresent whether it answers by itself, which a request in a page's field does not wait for */
export async function addAuthenticator(
  page: Page,
  { isPresent = true }: { isPresent?: boolean } = {},
): Promise<VirtualAuthenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: isPresent,
      defaultBackupEligibility: true,
      defaultBackupState: true,
    },
  });
  const signals: string[] = [];
  cdp.on('WebAuthn.credentialDeleted', () => signals.push('deleted'));
  cdp.on('WebAuthn.credentialUpdated', () => signals.push('updated'));
  return {
    async setPresent(enabled) {
      await cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
    },
    async setVerified(isUserVerified) {
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
    },
    credentials: () => credentialsOf(cdp, authenticatorId),
    async add(credential) {
      await cdp.send('WebAuthn.addCredential', { authenticatorId, credential });
    },
    async remove(credentialId) {
      await cdp.send('WebAuthn.removeCredential', { authenticatorId, credentialId });
    },
    signals,
    close: () => cdp.detach(),
  };
}

async function credentialsOf(cdp: CDPSession, authenticatorId: string) {
  return (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
}
