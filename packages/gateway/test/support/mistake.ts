import { expect } from "vitest"

/** What a mistake of the command line is told as: `toEqual` alone does not look at the message of such an error. */
export const mistake = (message: string): unknown => expect.objectContaining({ _tag: "UsageError", message })
