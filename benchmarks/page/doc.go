// Package page makes one HTML page of a result: tables, and plots as inline
// SVG. The page needs nothing from elsewhere, runs no script, and follows the
// reader's light or dark setting.
//
// A plot shows medians; its whiskers run from the least to the most of all
// runs. Axes begin at zero.
package page
