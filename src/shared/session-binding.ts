declare module 'express-session' {
  interface SessionData {
    /** What ties it to a device, in force unless it begins with 0. Of concurrent saves, the greater binding wins. */
    readonly binding?: string | undefined;
  }
}

declare module '../session/record.ts' {
  interface OwnFields {
    binding: unknown;
  }
}

/** Whether a session takes a proof of what it is bound to. A binding that can't be read counts as in force. */
export const isBindingInForce = (binding: string | undefined): boolean => binding?.startsWith('0') === false;
