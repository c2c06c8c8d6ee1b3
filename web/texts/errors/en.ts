/** What people read at an address without a page, or when the service fails. */
export interface ErrorText {
  title: string
  advice: string
  link: string
  /** Where the link leads; none where every page would fail in the same way. */
  href?: string
}

export type ErrorCode = 'not_found' | 'method_not_allowed' | 'internal_error' | 'service_unavailable'

export const errorTexts: Readonly<Record<ErrorCode, ErrorText>> = {
  not_found: {
    title: 'Page not found',
    advice: 'There is no page at this address. Please check the address, or go to your account.',
    link: 'Your account',
    href: '/account',
  },
  method_not_allowed: {
    title: 'No page at this address',
    advice: 'This address is for programs. There is nothing to see here in a browser.',
    link: 'Your account',
    href: '/account',
  },
  internal_error: {
    title: 'Something went wrong',
    advice: 'This is our mistake. Please try again in a few minutes.',
    link: '',
  },
  service_unavailable: {
    title: 'Not available right now',
    advice: 'The service cannot be reached at the moment. Please try again in a few minutes.',
    link: '',
  },
}
