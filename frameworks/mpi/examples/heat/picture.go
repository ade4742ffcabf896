package main

import (
	"bufio"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
)

// draw writes the points of a square plate as a picture of at least 512 pixels each
// way: from black at 0 degrees over red and yellow to white at 100.
func draw(path string, points []float64, size int) error {
	each := max(1, (511+size)/size)
	img := image.NewPaletted(image.Rect(0, 0, each*size, each*size), palette())
	for y := range each * size {
		for x := range each * size {
			img.Pix[y*img.Stride+x] = shade(points[y/each*size+x/each])
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(png.Encode(w, img), w.Flush(), f.Close())
}

// shade is the colour of a temperature: heat falls off fast, so the scale is that
// of its square root.
func shade(degrees float64) uint8 {
	return uint8(255 * math.Sqrt(min(max(degrees/100, 0), 1)))
}

// palette is the colours of a glowing plate.
func palette() color.Palette {
	stops := []color.RGBA{{0, 0, 4, 255}, {66, 10, 104, 255}, {147, 38, 103, 255}, {221, 81, 58, 255}, {252, 165, 10, 255}, {252, 255, 164, 255}}
	p := make(color.Palette, 256)
	for i := range p {
		at := float64(i) / 255 * float64(len(stops)-1)
		k := min(int(at), len(stops)-2)
		mix := func(a, b uint8) uint8 { return uint8(float64(a) + (at-float64(k))*(float64(b)-float64(a))) }
		a, b := stops[k], stops[k+1]
		p[i] = color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
	}
	return p
}
