/** A text in quotes, for a message. Backslashes stay single: on Windows, they separate folders. */
export const quoted = (text: string): string => JSON.stringify(text).replaceAll("\\\\", "\\")
