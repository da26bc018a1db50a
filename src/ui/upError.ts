/** A run of `limpet up` that could not start, or one of whose processes failed. The message is for people. */
export class UpError extends Error {
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
