import { Stop } from '../command.ts'

/** @throws {Stop} when the text is not an https origin. Links in emails and the issuer of tokens start with it. */
export function readPublicUrl(text: string): string {
  const url = URL.parse(text.trim())
  const isOrigin = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password
  if (!isOrigin || url.protocol !== 'https:') {
    throw new Stop(`PUBLIC_URL must be an https origin such as https://accounts.example.com, not "${text.trim()}".`)
  }
  return url.origin
}
