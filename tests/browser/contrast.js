/* contrast: the contrast ratios of texts against what lies behind them (WCAG 2.2, 1.4.3: at least 4.5). */
"use strict";

// Of every element in and under the locator's that has a text of its own. Backgrounds must be opaque or absent.
function contrasts(locator) {
  return locator.evaluate((top) => {
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = (color) => {
      const [r, g, b] = numbers(color).map((v) =>
        v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let e = element; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if (numbers(color)[3] !== 0) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const hasText = (e) =>
      e.matches("input") || [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    return [top, ...top.querySelectorAll("*")]
      .filter((e) => hasText(e) && e.checkVisibility())
      .map((e) => {
        const [low, high] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => a - b);
        return { text: e.textContent.trim() || e.tagName, ratio: (high + 0.05) / (low + 0.05) };
      });
  });
}

module.exports = { contrasts };
