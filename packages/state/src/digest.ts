/**
 * A digest of a text for what is kept: nobody can make two texts with the same one.
 */
import { createHash } from "node:crypto"

export const digest = (text: string): string => createHash("sha256").update(text).digest("base64url")
