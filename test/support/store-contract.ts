import type { Cookie, SessionData, Store } from 'express-session';
import { beforeEach, describe, expect, test } from 'vitest';

/** A store under test, and ids and data that it takes. */
export type StoreUnderTest = {
  store: Store;
  newId: () => string;
  newData: () => SessionData;
};

const cookie: Cookie = { originalMaxAge: null, path: '/', httpOnly: true };

/** Session data with nothing particular to a store. */
export function plainData(): SessionData {
  return { cookie: { ...cookie }, note: 'first' } as unknown as SessionData;
}

type Change = { note?: string };

/**
 * What express-session expects of any store, from its README ("Session Store Implementation") and its code.
 * A session is changed the way express-session does it: what `get` gave is altered and given to `set`.
 */
export function describeStoreContract(name: string, create: () => Promise<StoreUnderTest> | StoreUnderTest): void {
  describe(`${name} keeps the contract of a session store`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => {
      under = await create();
    });

    const get = (id: string) =>
      new Promise<(SessionData & Change) | null | undefined>((done, fail) =>
        under.store.get(id, (error, session) => (error ? fail(error) : done(session))),
      );
    const set = (id: string, session: SessionData) =>
      new Promise<void>((done, fail) => under.store.set(id, session, (error) => (error ? fail(error) : done())));
    const destroy = (id: string) =>
      new Promise<void>((done, fail) => under.store.destroy(id, (error) => (error ? fail(error) : done())));
    const touch = (id: string, session: SessionData) =>
      new Promise<void>((done) => {
        if (under.store.touch) under.store.touch(id, session, () => done());
        else done();
      });
    async function stored(): Promise<{ id: string; session: SessionData & Change }> {
      const id = under.newId();
      await set(id, under.newData());
      const session = await get(id);
      if (!session) throw new Error('the session was not stored');
      return { id, session };
    }

    test('an unknown id has no session, and that is no error', async () => {
      expect((await get(under.newId())) ?? null).toBeNull();
    });

    test('what was set is what get gives, with a cookie', async () => {
      const { session } = await stored();
      expect(session.note).toBe('first');
      expect(session.cookie.path).toBe('/');
    });

    test('set replaces the data of a session that was loaded', async () => {
      const { id, session } = await stored();
      session.note = 'second';
      await set(id, session);
      expect((await get(id))?.note).toBe('second');
    });

    test('a changed object changes nothing in the store before set', async () => {
      const { id, session } = await stored();
      session.note = 'never set';
      expect((await get(id))?.note).toBe('first');
    });

    test('destroy ends one session and leaves the others', async () => {
      const [ended, other] = [await stored(), await stored()];
      await destroy(ended.id);
      expect((await get(ended.id)) ?? null).toBeNull();
      expect(await get(other.id)).toBeTruthy();
    });

    test('destroying what is not there is no error', async () => {
      await expect(destroy(under.newId())).resolves.toBeUndefined();
    });

    test('touch keeps the data', async () => {
      const { id, session } = await stored();
      await touch(id, session);
      expect((await get(id))?.note).toBe('first');
    });

    test('touching what has ended does not bring it back', async () => {
      const { id, session } = await stored();
      await destroy(id);
      await touch(id, session);
      expect((await get(id)) ?? null).toBeNull();
    });

    test('a callback is called once, and not before the call has returned', async () => {
      const { id, session } = await stored();
      for (const call of [
        (done: () => void) => under.store.get(id, done),
        (done: () => void) => under.store.set(id, session, done),
        (done: () => void) => under.store.destroy(id, done),
      ]) {
        let returned = false;
        const calls: boolean[] = [];
        await new Promise<void>((done) => {
          call(() => {
            calls.push(returned);
            done();
          });
          returned = true;
        });
        await new Promise(setImmediate);
        expect(calls).toEqual([true]);
      }
    });

    test('text of any kind survives', async () => {
      const { id, session } = await stored();
      session.note = '"\u2028<script>\0 é 漢 😀 \\\\';
      await set(id, session);
      expect((await get(id))?.note).toBe(session.note);
    });
  });
}
