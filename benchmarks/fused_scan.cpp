// The selective scan and its gradients in one pass each: what a fused kernel needs on this CPU, as a bound for ours.
// All arrays are dense float32: u, delta, z, y (B, L, D), Bs, Cs (B, L, N), A (N, D) times log2 e, skip and bias (D).

#include <algorithm>
#include <cmath>
#include <vector>

constexpr int W = 16;  // channels side by side

namespace {

// The step sizes, softplus(delta + bias), of W channels at one step.
inline void steps(const float *delta, const float *bias, float *out) {
    for (int w = 0; w < W; ++w) {
        const float x = delta[w] + bias[w];
        out[w] = std::max(x, 0.0f) + std::log(1.0f + std::exp(-std::fabs(x)));
    }
}

}  // namespace

extern "C" void scan(int batch, int length, int channels, int states, const float *u, const float *delta, const float *A,
                     const float *Bs, const float *Cs, const float *skip, const float *z, const float *bias, float *y) {
#pragma omp parallel for collapse(2)
    for (int b = 0; b < batch; ++b)
        for (int d = 0; d < channels; d += W) {
            std::vector<float> h(states * W, 0.0f);
            for (int t = 0; t < length; ++t) {
                const size_t at = (size_t(b) * length + t) * channels + d, of = (size_t(b) * length + t) * states;
                float step[W], drive[W], sum[W] = {};
                steps(delta + at, bias + d, step);
                for (int w = 0; w < W; ++w) drive[w] = step[w] * u[at + w];
                for (int n = 0; n < states; ++n)
#pragma omp simd
                    for (int w = 0; w < W; ++w) {
                        float &state = h[n * W + w];
                        state = exp2f(step[w] * A[n * channels + d + w]) * state + drive[w] * Bs[of + n];
                        sum[w] += state * Cs[of + n];
                    }
                for (int w = 0; w < W; ++w) {
                    const float gate = 1.0f / (1.0f + std::exp(-z[at + w]));
                    y[at + w] = (sum[w] + skip[d + w] * u[at + w]) * z[at + w] * gate;
                }
            }
        }
}

// The gradients d* of every operand from dy, that of y; dA, dskip and dbias (of all samples) are added to what is there.
extern "C" void scan_back(int batch, int length, int channels, int states, const float *u, const float *delta,
                          const float *A, const float *Bs, const float *Cs, const float *skip, const float *z,
                          const float *bias, const float *dy, float *du, float *ddelta, float *dA, float *dBs, float *dCs,
                          float *dskip, float *dz, float *dbias) {
    constexpr float LN2 = 0.69314718056f;
    const int block = states * W;
#pragma omp parallel
    {
        std::vector<float> h(size_t(length + 1) * block, 0.0f), sums_B(size_t(length) * block), sums_C(sums_B);
        std::vector<float> mine_A(states * channels, 0.0f), mine_skip(channels, 0.0f), mine_bias(channels, 0.0f);
#pragma omp for
        for (int b = 0; b < batch; ++b) {
            std::fill(sums_B.begin(), sums_B.end(), 0.0f);
            std::fill(sums_C.begin(), sums_C.end(), 0.0f);
            for (int d = 0; d < channels; d += W) {
                for (int t = 0; t < length; ++t) {  // the states again, h[0] before the first step
                    const size_t at = (size_t(b) * length + t) * channels + d, of = (size_t(b) * length + t) * states;
                    float step[W];
                    steps(delta + at, bias + d, step);
                    for (int n = 0; n < states; ++n)
#pragma omp simd
                        for (int w = 0; w < W; ++w) {
                            const float *before = &h[size_t(t) * block + n * W];
                            h[size_t(t + 1) * block + n * W + w] =
                                exp2f(step[w] * A[n * channels + d + w]) * before[w] + step[w] * u[at + w] * Bs[of + n];
                        }
                }
                std::vector<float> g(block, 0.0f);
                for (int t = length - 1; t >= 0; --t) {
                    const size_t at = (size_t(b) * length + t) * channels + d, of = (size_t(b) * length + t) * states;
                    float step[W], grad[W], sum[W] = {}, to_drive[W] = {}, to_step[W] = {};
                    steps(delta + at, bias + d, step);
                    for (int w = 0; w < W; ++w) grad[w] = dy[at + w] * z[at + w] / (1.0f + std::exp(-z[at + w]));
                    for (int n = 0; n < states; ++n)
#pragma omp simd
                        for (int w = 0; w < W; ++w) {
                            const int k = n * W + w;
                            const float rate = A[n * channels + d + w], now = h[size_t(t + 1) * block + k];
                            const float gradient = g[k] + grad[w] * Cs[of + n];
                            sum[w] += now * Cs[of + n];
                            sums_C[size_t(t) * block + k] += grad[w] * now;
                            sums_B[size_t(t) * block + k] += gradient * step[w] * u[at + w];
                            to_drive[w] += gradient * Bs[of + n];
                            const float decayed = gradient * exp2f(step[w] * rate);
                            const float product = decayed * h[size_t(t) * block + k];
                            to_step[w] += product * rate * LN2;
                            mine_A[n * channels + d + w] += product * step[w];
                            g[k] = decayed;
                        }
                    for (int w = 0; w < W; ++w) {
                        const float gate = 1.0f / (1.0f + std::exp(-z[at + w])), x = delta[at + w] + bias[d + w];
                        const float out = sum[w] + skip[d + w] * u[at + w];
                        dz[at + w] = dy[at + w] * out * gate * (1.0f + z[at + w] * (1.0f - gate));
                        du[at + w] = to_drive[w] * step[w] + grad[w] * skip[d + w];
                        ddelta[at + w] = (to_step[w] + to_drive[w] * u[at + w]) / (1.0f + std::exp(-x));
                        mine_skip[d + w] += grad[w] * u[at + w];
                        mine_bias[d + w] += ddelta[at + w];
                    }
                }
            }
            for (int t = 0; t < length; ++t)
                for (int n = 0; n < states; ++n) {
                    const size_t from = size_t(t) * block + n * W, to = (size_t(b) * length + t) * states + n;
                    float in_B = 0.0f, in_C = 0.0f;
                    for (int w = 0; w < W; ++w) in_B += sums_B[from + w], in_C += sums_C[from + w];
                    dBs[to] = in_B, dCs[to] = in_C;
                }
        }
#pragma omp critical
        {
            for (int k = 0; k < states * channels; ++k) dA[k] += mine_A[k];
            for (int d = 0; d < channels; ++d) dskip[d] += mine_skip[d], dbias[d] += mine_bias[d];
        }
    }
}
