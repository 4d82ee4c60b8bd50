/** An application as one JavaScript file, as it runs in images, in `hookfleet up` and in the tests. */
export { APPLICATIONS, type Application, buildApplication, builtFileOf } from './build-application.ts';
