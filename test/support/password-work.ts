/** How often something did the work of a password hash: what its time would tell, without measuring time. */
export async function hashesDuring(act: () => Promise<unknown>): Promise<number> {
  const original = crypto.subtle.deriveBits.bind(crypto.subtle)
  let calls = 0
  crypto.subtle.deriveBits = (...input) => {
    calls++
    return original(...input)
  }
  try {
    await act()
  } finally {
    crypto.subtle.deriveBits = original
  }
  return calls
}
