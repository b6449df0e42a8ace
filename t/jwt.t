#!/usr/bin/perl

# JSON Web Tokens: who is let in by which, and who is not; tokens made here by
# openssl and Perl, not by the code that reads them.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Digest::SHA qw(hmac_sha256 hmac_sha512);
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;

needs_module();

my $dir = File::Temp::tempdir(CLEANUP => 1);
chmod 0755, $dir;

sub openssl {
    my (@args) = @_;
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    open my $pipe, '-|', 'openssl', @args or die "openssl: $!";
    binmode $pipe;
    local $/;
    my $out = <$pipe> // '';
    close $pipe or die "openssl @args failed\n";
    return $out;
}

# A key of openssl and what of it is public.
sub key {
    my ($name, @how) = @_;
    my $file = "$dir/$name.pem";
    openssl('genpkey', '-quiet', @how, '-out', $file);
    return $file;
}
my $rsa = key(rsa => '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048');
my $ec = key(ec => '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256');
my $ed = key(ed => '-algorithm', 'ED25519');
my $modulus = pack 'H*', openssl('rsa', '-in', $rsa, '-noout', '-modulus')
    =~ s/^Modulus=|\s//gr;
my $point = substr openssl('pkey', '-in', $ec, '-pubout', '-outform', 'DER'),
    -64;
my $raw = substr openssl('pkey', '-in', $ed, '-pubout', '-outform', 'DER'),
    -32;
my $secret = 'sk-secret-hmac-' . 'x' x 32;
my %jwk = (
    rsa => { kty => 'RSA', kid => 'rsa', n => encode_base64url($modulus),
        e => 'AQAB' },
    ec => { kty => 'EC', kid => 'ec', crv => 'P-256',
        x => encode_base64url(substr $point, 0, 32),
        y => encode_base64url(substr $point, 32) },
    ed => { kty => 'OKP', kid => 'ed', crv => 'Ed25519',
        x => encode_base64url($raw) },
    oct => { kty => 'oct', kid => 'oct', k => encode_base64url($secret) },
);
my $jwks = "$dir/jwks.json";
sub write_keys {
    open my $out, '>', $jwks or die $!;
    print $out encode({ keys => [@jwk{@_}] });
    close $out;
    chmod 0600, $jwks;
}
write_keys(qw(rsa ec ed oct));

# ASN.1 of two numbers to both in full length.
sub fixed {
    my ($der) = @_;
    my $at = ord(substr $der, 1, 1) & 0x80 ? 3 : 2;
    my $out = '';
    for (1, 2) {
        my $length = ord substr $der, $at + 1, 1;
        my $number = substr $der, $at + 2, $length;
        $out .= substr "\0" x 32 . $number, -32;
        $at += 2 + $length;
    }
    return $out;
}

sub sign {
    my ($alg, $text) = @_;
    return hmac_sha256($text, $secret) if $alg eq 'HS256';
    return hmac_sha512($text, $secret) if $alg eq 'HS512';
    my $file = "$dir/text";
    open my $out, '>', $file or die $!;
    print $out $text;
    close $out;
    return openssl('dgst', '-sha256', '-sign', $rsa, $file)
        if $alg eq 'RS256';
    return openssl('dgst', '-sha384', '-sign', $rsa, '-sigopt',
        'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:48', $file)
        if $alg eq 'PS384';
    return fixed(openssl('dgst', '-sha256', '-sign', $ec, $file))
        if $alg eq 'ES256';
    return openssl('pkeyutl', '-sign', '-rawin', '-inkey', $ed, '-in', $file)
        if $alg eq 'EdDSA';
    die $alg;
}

sub token {
    my ($alg, $claims, %header) = @_;
    my $text = join '.', map { encode_base64url(encode($_)) }
        { alg => $alg, typ => 'JWT', %header },
        { iss => 'https://issuer.test', aud => ['gateway', 'other'],
            exp => time + 600, %$claims };
    return "$text." . encode_base64url(sign($header{by} // $alg, $text));
}

my $up = Upstream->start(
    ok => { json => chat_answer('hello') },
    stream => { events => stream_events('one two') },
    echo => { echo => 1 },
);
my $rules = "jwt_jwks file:$jwks; jwt_issuer https://issuer.test;";
my $http = zone() . provider(own => openai => $up->url('ok'))
    . provider(stream => openai => $up->url('stream'))
    . provider(open => openai => $up->url('ok'), 'api_token none;')
        =~ s/\s*api_token none;//r
    . <<"EOT";
ai_proxy_consumer search { $rules jwt_audience gateway; jwt_claim azp front;
    jwt_header sub X-User; jwt_header groups X-Groups;
    jwt_header none X-None; jwt_header sub X-Both override=off; models gpt-*; }
ai_proxy_consumer batch { $rules jwt_claim azp job-1 job-2; jwt_clock_skew 0s;
    key sk-secret-batch; }
log_format all '\$status|\$ai_proxy_consumer|\$ai_proxy_error|\$http_x_user';
EOT
my $gw = Gateway->start(http => $http, access_log => '', server => <<"EOT");
access_log %%DIR%%/logs/access.log all;
location /own/ { ai_proxy_auth key jwt; ai_proxy_pass own; }
location /open/ { ai_proxy_auth jwt; ai_proxy_pass open; }
location /stream/ { ai_proxy_auth jwt; ai_proxy_pass stream; }
location /few/ { ai_proxy_auth jwt; ai_proxy_consumers batch;
    ai_proxy_pass own; }
location /keys/ { ai_proxy_auth key; ai_proxy_pass own; }
location /query/ { ai_proxy_auth jwt query=access_token cookie=jwt;
    ai_proxy_pass own; }
location /proxied/ { ai_proxy_auth jwt; proxy_pass @{[ $up->url('echo') ]}/; }
location = /metrics { ai_proxy_metrics; }
EOT
push @{ $gw->{secrets} }, 'eyJ';

my $chat = 'v1/chat/completions';
sub call {
    my ($path, $token, %more) = @_;
    return $gw->client->post("$path/$chat", chat_body(%{ $more{body} // {} }),
        headers => { Authorization => "Bearer $token",
            %{ $more{headers} // {} } });
}
my $front = { azp => 'front', sub => 'u-1' };

# Good ones.

for my $alg (qw(RS256 PS384 ES256 EdDSA HS256 HS512)) {
    my $reply = call('/own', token($alg, $front));
    is($reply->{status}, 200, "$alg is good") or diag($reply->{raw});
    is(call('/own', token($alg, $front, kid => 'rsa'))->{status},
        $alg =~ /^[RP]S/ ? 200 : 401, 'and the named key is the one');
}
my $good = token(RS256 => $front);
is(call('/open', $good)->{status}, 200, 'to a provider without a key');
unlike(encode($up->last_request('ok')), qr/eyJ/, 'which does not get it');
check_stream(call('/stream', $good, body => { stream => JSON::PP::true }),
    'one two', 'a stream');
is($gw->client->post("/own/$chat", chat_body(),
    headers => { 'x-api-key' => $good })->{status}, 200,
    'where others put their keys');
is($gw->client->post("/query/$chat?access_token=$good", chat_body())
    ->{status}, 200, 'in the query');
unlike(encode($up->last_request('ok')), qr/eyJ/, 'which ends here');
is($gw->client->post("/query/$chat", chat_body(),
    headers => { Cookie => "a=b; jwt=$good" })->{status}, 200, 'in a cookie');
is(call('/own', token(RS256 => { azp => 'job-2' }))->{status}, 200,
    'another consumer of the same issuer');
is(call('/own', 'sk-secret-batch')->{status}, 200, 'who has a key as well');
check_error(call('/own', $good, body => { model => 'claude-x' }), 404, qr/./,
    'models hold for tokens too');

# Refused ones.

sub refused {
    my ($token, $name, $status, $code, $path) = @_;
    my $reply = call($path // '/own', $token);
    my $error = check_error($reply, $status // 401, undef, $name);
    is($error->{code}, $code // 'invalid_api_key', 'its code');
    return $reply;
}
refused(token(RS256 => { %$front, exp => time - 61 }), 'expired', 401,
    'expired_credential');
refused(token(RS256 => { %$front, nbf => time + 100 }), 'not yet', 401,
    'expired_credential');
is(call('/own', token(RS256 => { %$front, exp => time - 5 }))->{status}, 200,
    'clocks may be apart');
refused(token(RS256 => { azp => 'job-1', exp => time - 5 }),
    'unless they may not', 401, 'expired_credential');
refused(token(RS256 => { %$front, iss => 'https://other.test' }),
    'another issuer');
refused(token(RS256 => { %$front, aud => 'else' }), 'another audience');
refused(token(RS256 => { sub => 'u-1' }), 'nobody of ours');
refused($good, 'not here', 403, 'consumer_forbidden', '/few');
is(call('/few', token(RS256 => { azp => 'job-1' }))->{status}, 200,
    'he may');
refused($good, 'where only keys count', 401, 'invalid_api_key', '/keys');
refused('sk-secret-batch', 'where only tokens do', 401, 'invalid_api_key',
    '/open');

my ($head, $claims, $signature) = split /\./, $good;
my $none = encode_base64url('{"alg":"none"}');
refused("$none.$claims.", 'no signature');
refused("$none.$claims.$signature", 'none, with one');
refused("$head.$claims.", 'the signature cut off');
refused("$head.$claims", 'two parts');
refused("$good.x", 'four');
refused("$head.$head.$claims.$signature.x", 'five: encrypted');
my $forged = encode_base64url('{"alg":"HS256","kid":"rsa"}') . ".$claims";
for my $public (openssl('pkey', '-in', $rsa, '-pubout'), $modulus,
    encode($jwk{rsa})) {
    refused("$forged." . encode_base64url(hmac_sha256($forged, $public)),
        'a public key is no secret');
}
my $other = encode_base64url(encode({ iss => 'https://issuer.test',
    aud => 'gateway', azp => 'front', sub => 'u-2' }));
refused("$head.$other.$signature", "somebody else's claims");
for my $at (0, int(length($signature) / 2), length($signature) - 2) {
    my $bad = $signature;
    substr($bad, $at, 1) = substr($bad, $at, 1) eq 'A' ? 'B' : 'A';
    refused("$head.$claims.$bad", "a signature changed at $at");
}
refused("$head.$claims.$signature==", 'padding');
refused(token(RS256 => $front, crit => ['exp']), 'extensions');
refused(token(RS256 => $front, cty => 'JWT'), 'nested');
my $twice = encode_base64url('{"alg":"RS256","alg":"RS256"}') . ".$claims";
refused("$twice." . encode_base64url(sign(RS256 => $twice)),
    'a member twice');
is(Client::header(call('/open', "$head.$claims."), 'WWW-Authenticate'),
    'Bearer realm="nginx AI proxy", error="invalid_token"', 'a challenge');

# Claims as header fields.

call('/proxied', token(RS256 => { %$front, groups => ['a', 'b'] }),
    headers => { 'X-User' => 'root', 'X-None' => 'mine', 'X-Both' => 'first',
        'X-Other' => 'kept' });
my $seen = $up->last_request('echo');
is(join('|', grep { $_ ne '' } Upstream::header($seen, 'X-User')), 'u-1',
    "a claim, not the client's word");
is(join('|', Upstream::header($seen, 'X-Groups')), 'a,b', 'a list');
is(join('|', grep { $_ ne '' } Upstream::header($seen, 'X-None')), '',
    'nor where there is no claim');
is(join('|', Upstream::header($seen, 'X-Both')), 'first|u-1',
    'beside it where that is wanted');
is(Upstream::header($seen, 'X-Other'), 'kept', 'others are not touched');
call('/own', token(RS256 => $front), headers => { 'X-User' => 'root' });
is(join('|', Upstream::header($up->last_request('ok'), 'X-User')), 'u-1',
    'a relayed call has it too');
call('/own', 'sk-secret-batch', headers => { 'X-User' => 'root' });
is(Upstream::header($up->last_request('ok'), 'X-User'), undef,
    'and who comes with a key cannot say it');
ok($gw->until(sub { grep { $_ eq '200|search|-|u-1' }
    $gw->log_lines('access.log') }), 'variables have it');

# New keys come with a reload.

write_keys(qw(ec));
is(call('/own', $good)->{status}, 200, 'keys are read at the start');
$gw->reload;
refused($good, 'and anew with a reload');
is(call('/own', token(ES256 => $front))->{status}, 200, 'the others stay');

done($gw, $up);
