/** The frame around every page. */
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { areCookiesBlocked } from '../cookies.ts'
import { productName } from '../settings.ts'
import { setTitle } from '../start.tsx'
import { type Language, chooseLanguage, language, languages, texts } from '../texts/language.ts'

interface ShellProps {
  /** The title of the window; the heading of the page is part of its content. */
  title: string
  /** A narrow card for one form, or the width of the window for lists. */
  width?: 'narrow' | 'wide'
  /** Shown at the top, beside the product name. */
  header?: ComponentChildren
  children: ComponentChildren
}

export function Shell({ title, width = 'narrow', header, children }: ShellProps) {
  useEffect(() => setTitle(title), [title])
  return (
    <div class={`shell ${width}`}>
      <a class="skip" href="#content">
        {texts.common.skipToContent}
      </a>
      <header class="top">
        <a class="brand" href="/account">
          <img src="/favicon.svg" alt="" width="28" height="28" /> <span>{productName}</span>
        </a>
        {header}
      </header>
      <main id="content" tabIndex={-1}>
        {areCookiesBlocked() && (
          <p class="notice" role="alert">
            {texts.common.cookiesNeeded}
          </p>
        )}
        {children}
      </main>
      <footer class="bottom">
        <LanguageSwitch />
      </footer>
    </div>
  )
}

function LanguageSwitch() {
  return (
    <label class="language">
      <span class="unseen">{texts.common.language}</span>
      <select value={language} onChange={({ currentTarget }) => chooseLanguage(currentTarget.value as Language)}>
        {Object.entries(languages).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

export function Card({ children }: { children: ComponentChildren }) {
  return <div class="card">{children}</div>
}
