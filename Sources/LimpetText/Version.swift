/// This program's version.
package let limpetVersion = "0.1.0"
