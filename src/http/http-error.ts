/** What an error page offers besides its message, and what its response carries. */
export type HttpErrorDetails = {
  /** Where signing in would help. */
  loginUrl?: string;
  /** A page that helps. */
  link?: { href: string; label: string };
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
