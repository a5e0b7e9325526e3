import type { Options } from "@mcp-lifeline/sign-in/SignIn"

/** What messages of a sign-in call its options: the flags of `login` and `wrap`. */
export const optionNames: NonNullable<Options["optionNames"]> = { issuer: "--client-issuer", device: "--device" }
