/**
 * Every view of the dashboard fits and is accessible, in both colour schemes and at three sizes of the window.
 * Takes about 59 s.
 */
import { test } from '@jest/globals';
import { checkViews, DESKTOP, PHONE, useDashboard } from '../dashboard-under-test.ts';

useDashboard();

test.each([
  ['light', 'light', DESKTOP],
  ['dark', 'dark', DESKTOP],
  ['phone', 'light', PHONE],
  ['phone-dark', 'dark', PHONE],
  ['wide', 'light', { width: 1920, height: 1080 }],
] as const)('%s: every view fits, and passes the accessibility check', checkViews);
