/** What an error page offers besides its message, and what its response carries. */
export type HttpErrorDetails = {
  /** A sentence below the message. */
  note?: string | undefined;
  /** A page that helps. */
  link?: { href: string; label: string } | undefined;
  headers?: Record<string, string>;
};

/** An expected refusal: its message is written for the visitor, and it is not logged as a fault. */
export class HttpError extends Error {
  readonly status: number;
  readonly details: HttpErrorDetails;

  constructor(status: number, message: string, details: HttpErrorDetails = {}) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
    this.details = details;
  }
}
