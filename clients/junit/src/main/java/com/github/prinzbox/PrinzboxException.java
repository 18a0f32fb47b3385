package com.github.prinzbox;

/** The program is missing, did not start, or refused what it was asked. */
public final class PrinzboxException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int status;

  PrinzboxException(String message, int status, Throwable cause) {
    super(message, cause);
    this.status = status;
  }

  /** The HTTP status of a refusal; 0 where there was no answer. */
  public int status() {
    return status;
  }
}
