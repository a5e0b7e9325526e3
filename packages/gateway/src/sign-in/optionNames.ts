import type { Options } from "@mcp-lifeline/sign-in/SignIn"

/** The flags of `login` and `wrap` by which messages of a sign-in name its options. */
export const optionNames: NonNullable<Options["optionNames"]> = { issuer: "--client-issuer", device: "--device" }
