//! Outlook-, device- and browser-shaped traffic
