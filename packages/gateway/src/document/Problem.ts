/** What is wrong at a place of a file. */
export interface Problem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** Such as `mcpServers.docs.args[0]`. */
  readonly key: string
  /** What is wrong, and the remedy. Never quotes a value, which may be secret. */
  readonly message: string
}

export const show = ({ file, key, line, message }: Problem): string =>
  `${file}:${line}: ${key === "" ? "" : `${key}: `}${message}`
