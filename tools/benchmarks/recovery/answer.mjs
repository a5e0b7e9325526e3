/** The text of a tool's answer; an error that came as a result is thrown. @param {any} result @returns {string} */
export const textOf = ({ content, isError }) => {
  const text = String(content?.[0]?.text ?? "")
  if (isError === true) throw new Error(text)
  return text
}
