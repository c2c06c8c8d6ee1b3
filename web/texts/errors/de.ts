import type { ErrorCode, ErrorText } from './en.ts'

export const errorTexts: Readonly<Record<ErrorCode, ErrorText>> = {
  not_found: {
    title: 'Seite nicht gefunden',
    advice: 'Unter dieser Adresse gibt es keine Seite. Prüfen Sie die Adresse oder gehen Sie zu Ihrem Konto.',
    link: 'Ihr Konto',
    href: '/account',
  },
  method_not_allowed: {
    title: 'Keine Seite unter dieser Adresse',
    advice: 'Diese Adresse ist für Programme. Im Browser gibt es hier nichts zu sehen.',
    link: 'Ihr Konto',
    href: '/account',
  },
  internal_error: {
    title: 'Etwas ist schiefgegangen',
    advice: 'Der Fehler liegt bei uns. Versuchen Sie es in ein paar Minuten noch einmal.',
    link: '',
  },
  service_unavailable: {
    title: 'Gerade nicht erreichbar',
    advice: 'Der Dienst ist im Moment nicht erreichbar. Versuchen Sie es in ein paar Minuten noch einmal.',
    link: '',
  },
}
